// openpgp.js, or Proton's build of it (the argument), as a peer: it opens, seals and makes keys.

import { serve } from "./lines.mjs"

const openpgp = await import(process.argv[2])

const binary = (text) => new Uint8Array(Buffer.from(text, "base64"))

await serve({
  async open({ key, message, verify }) {
    const opened = await openpgp.decrypt({
      message: await openpgp.readMessage({ armoredMessage: message }),
      decryptionKeys: await openpgp.readPrivateKey({ binaryKey: binary(key) }),
      verificationKeys: verify ? await openpgp.readKey({ binaryKey: binary(verify) }) : undefined,
      format: "binary",
    })
    for (const signature of opened.signatures) if (verify) await signature.verified
    return { content: Buffer.from(opened.data).toString("base64"), signed: opened.signatures.length }
  },
  async seal({ certificate, content }) {
    const message = await openpgp.encrypt({
      message: await openpgp.createMessage({ binary: binary(content) }),
      encryptionKeys: await openpgp.readKey({ binaryKey: binary(certificate) }),
    })
    return { message }
  },
  async generate({ address }) {
    const { privateKey, publicKey } = await openpgp.generateKey({
      userIDs: [{ email: address }], format: "binary",
    })
    const text = (data) => Buffer.from(data).toString("base64")
    return { key: text(privateKey), certificate: text(publicKey) }
  },
  async unlock({ armored, passphrase }) {
    const locked = await openpgp.readPrivateKey({ armoredKey: armored })
    const key = await openpgp.decryptKey({ privateKey: locked, passphrase })
    return { key: Buffer.from(key.write()).toString("base64") }
  },
})
