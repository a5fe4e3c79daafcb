// Debian 12's Node.js 18 has WebCrypto, but not under the global name that the libraries use.
// Import it before them.

import { webcrypto } from "node:crypto"

globalThis.crypto ??= webcrypto
