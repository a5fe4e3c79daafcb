// Suites for ts-mls: its own suite 1, and the X-Wing suites of draft-ietf-mls-pq-ciphersuites-06
// under private-use numbers. ts-mls's own X-Wing suites (83, 84) derive key pairs without
// hpke-pq's label and use other hashes; here the KEM is the same, and the derivation is the
// draft's. Both numbers are added to its table, so that it reads and writes them.

import { createHash } from "node:crypto"
import { XWing } from "@hpke/hybridkem-x-wing"
import { ciphersuites, getCiphersuiteFromName, getCiphersuiteImpl } from "ts-mls"

const xwing = (name, aead, bits) => ({
  name,
  hash: `SHA-${bits}`,
  hpke: { kem: "X-Wing", aead, kdf: `HKDF-SHA${bits}` },
  signature: "Ed25519",
})

const XWING_SUITES = {
  0xf04e: xwing("MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519", "AES256GCM", 384),
  0xf04f: xwing("MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519", "AES128GCM", 256),
}
for (const [number, { name }] of Object.entries(XWING_SUITES)) ciphersuites[name] = Number(number)

const SUITE_1 = getCiphersuiteFromName("MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519")

export const SUITES = [1, ...Object.keys(XWING_SUITES).map(Number)]

export async function suite(number) {
  if (number === 1) return withInnerLength(await getCiphersuiteImpl(SUITE_1))
  if (!(number in XWING_SUITES)) throw new Error(`no suite ${number}`)
  const impl = await getCiphersuiteImpl(XWING_SUITES[number])
  return withInnerLength({ ...impl, hpke: { ...impl.hpke, deriveKeyPair: labelledKeyPair } })
}

// draft-ietf-hpke-pq: seed = SHAKE256(ikm || "HPKE-v1" || "KEM" || id || lengths and label, 32)
async function labelledKeyPair(ikm) {
  const label = Buffer.from("\0\rDeriveKeyPair\0\x20", "latin1")
  const suiteId = Buffer.from("HPKE-v1KEM\x64\x7a", "latin1")
  const seed = createHash("shake256", { outputLength: 32 })
    .update(Buffer.concat([ikm, suiteId, label]))
    .digest()
  return new XWing().generateKeyPairDerand(new Uint8Array(seed))
}

// ts-mls 1.6.4 takes the external_pub extension for the key itself; it holds opaque<V>. The
// header is as long as what a key of the suite is too long by.
function withInnerLength(impl) {
  const header = impl.name.includes("X25519_AES128GCM_SHA256") && !impl.name.includes("MLKEM") ? 1 : 2
  const size = header === 1 ? 32 : 1216
  const importPublicKey = (key) =>
    impl.hpke.importPublicKey(key.length === size + header ? key.subarray(header) : key)
  return { ...impl, hpke: { ...impl.hpke, importPublicKey } }
}

export function externalPubData(key) {
  const header = key.length < 64 ? [key.length] : [0x40 | (key.length >> 8), key.length & 0xff]
  return Uint8Array.from([...header, ...key])
}
