// ts-mls timed in the steps of bench/mls_ours.py: `SCRIPT SUITE SIZE ROUNDS MESSAGES`.

import "./web_crypto.mjs"
import {
  acceptAll,
  createApplicationMessage,
  createCommit,
  createGroup,
  decodeMlsMessage,
  defaultCapabilities,
  emptyPskIndex,
  encodeMlsMessage,
  generateKeyPackage,
  joinGroup,
  processPrivateMessage,
} from "ts-mls"
import { suite } from "./ts_mls_suites.mjs"

const [number, size, rounds, messages] = process.argv.slice(2).map(Number)
const cs = await suite(number)
const CONTENT = new Uint8Array(1024)

async function timed(work) {
  const start = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(start)
  return [result, (user + system) / 1e6]
}

function device(name) {
  const identity = new TextEncoder().encode(name.padEnd(name.length + 16, "\0"))
  const now = BigInt(Math.floor(Date.now() / 1000))
  const lifetime = { notBefore: now - 3600n, notAfter: now + 14n * 86400n }
  return generateKeyPackage({ credentialType: "basic", identity }, defaultCapabilities(), lifetime, [], cs)
}

const encode = (wireformat, field, content) =>
  encodeMlsMessage({ version: "mls10", wireformat, [field]: content })
const decode = (bytes) => decodeMlsMessage(bytes, 0)[0]

async function commit(state, packages) {
  const extraProposals = packages.map((each) => ({
    proposalType: "add",
    add: { keyPackage: decode(each).keyPackage },
  }))
  const made = await createCommit({ state, cipherSuite: cs }, { extraProposals, ratchetTreeExtension: true })
  const welcome = made.welcome && encode("mls_welcome", "welcome", made.welcome)
  return { state: made.newState, commit: encodeMlsMessage(made.commit), welcome }
}

async function handle(state, bytes) {
  const { privateMessage } = decode(bytes)
  return (await processPrivateMessage(state, privateMessage, emptyPskIndex, cs, acceptAll)).newState
}

async function encryptAll(state) {
  const sealed = []
  for (let count = 0; count < messages; count++) {
    const made = await createApplicationMessage(state, CONTENT, cs)
    state = made.newState
    sealed.push(encode("mls_private_message", "privateMessage", made.privateMessage))
  }
  return sealed
}

async function decryptAll(state, sealed) {
  for (const each of sealed) state = await handle(state, each)
}

async function measure() {
  const devices = []
  for (let count = 0; count < size - 1; count++) devices.push(await device(`user${count}@acme.example`))
  const packages = devices.map((each) => encode("mls_key_package", "keyPackage", each.publicPackage))
  const { publicPackage, privatePackage } = await device("founder@acme.example")
  const id = new TextEncoder().encode("bench")
  const founder = await createGroup(id, publicPackage, privatePackage, [], cs)
  const last = devices.at(-1)
  const [added, add] = await timed(() => commit(founder, packages))
  const [member, join] = await timed(() =>
    joinGroup(decode(added.welcome).welcome, last.publicPackage, last.privatePackage, emptyPskIndex, cs),
  )
  const [updated, update] = await timed(() => commit(member, []))
  const [followed, followSeconds] = await timed(() => handle(added.state, updated.commit))
  const [sealed, encrypt] = await timed(() => encryptAll(updated.state))
  const [, decrypt] = await timed(() => decryptAll(followed, sealed))
  return {
    add,
    join,
    update,
    process: followSeconds,
    encrypt: encrypt / messages,
    decrypt: decrypt / messages,
    add_bytes: added.commit.length,
    welcome_bytes: added.welcome.length,
    update_bytes: updated.commit.length,
    message_bytes: sealed[0].length,
  }
}

const lives = []
for (let round = 0; round < rounds; round++) lives.push(await measure())
const best = Object.keys(lives[0]).map((key) => [key, Math.min(...lives.map((life) => life[key]))])
console.log(JSON.stringify(Object.fromEntries(best)))
