// ts-mls behind the driver's protocol.

import "./web_crypto.mjs"
import { randomBytes } from "node:crypto"
import {
  acceptAll,
  bytesToBase64,
  createApplicationMessage,
  createCommit,
  createGroup,
  createProposal,
  decodeMlsMessage,
  defaultCapabilities,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  joinGroup,
  joinGroupExternal,
  makePskIndex,
  mlsExporter,
  processPrivateMessage,
  processPublicMessage,
} from "ts-mls"
import { createGroupInfo } from "ts-mls/createCommit.js"
import { encodeRatchetTree } from "ts-mls/ratchetTree.js"
import { makeKeyPackageRef } from "ts-mls/keyPackage.js"
import { hex, octets, serve } from "./lines.mjs"
import { following } from "./ts_mls_following.mjs"
import { SUITES, externalPubData, suite } from "./ts_mls_suites.mjs"

const clients = new Map()
const groups = new Map()

// ts-mls 1.6.4 refuses a sound tree whose parents on one leaf's path list different unmerged
// leaves, when it joins.
const QUIRKS = ["refuses_unmerged_leaves"]
const FEATURES = ["propose", "export", "members", "discard", "psk", "group_info", "external_join"]

// --- Looking things up ---------------------------------------------------------------------

function found(map, name, what) {
  if (!map.has(name)) throw new Error(`no such ${what}`)
  return map.get(name)
}
const client = (request) => found(clients, request.client, "client")
const group = (request) => found(groups, request.group, "group")

function read(text, ...wireformats) {
  const bytes = octets(text)
  const decoded = decodeMlsMessage(bytes, 0)
  if (decoded === undefined) throw new Error("malformed message")
  const [message, length] = decoded
  if (length !== bytes.length) throw new Error("bytes after the message")
  if (!wireformats.includes(message.wireformat)) throw new Error(`a ${message.wireformat}`)
  return message
}
const write = (wireformat, field, content) =>
  hex(encodeMlsMessage({ version: "mls10", wireformat, [field]: content }))

function hold(owner, state) {
  const handle = `group-${groups.size + 1}`
  groups.set(handle, { owner, state, pending: undefined, psks: {} })
  return handle
}

const members = (state) =>
  state.ratchetTree.flatMap((node, index) =>
    node?.nodeType === "leaf" ? [{ index: index / 2, identity: hex(node.leaf.credential.identity) }] : [],
  )

function leaves(held, request) {
  const named = (request.identities ?? []).map((identity) => {
    const member = members(held.state).find((each) => each.identity === identity)
    if (member === undefined) throw new Error("no such member")
    return member.index
  })
  return [...new Set([...(request.indices ?? []), ...named])]
}

const pskIndex = (held) => makePskIndex(held.state, { ...held.owner.psks, ...held.psks })

// --- Clients -------------------------------------------------------------------------------

async function newClient(request) {
  const cs = await suite(request.suite)
  const keys = await cs.signature.keygen()
  const credential = { credentialType: "basic", identity: octets(request.identity) }
  clients.set(request.client, { cs, keys, credential, packages: [], psks: {} })
  return { signature_key: hex(keys.publicKey) }
}

async function makePackage({ cs, keys, credential }) {
  const now = BigInt(Math.floor(Date.now() / 1000))
  const lifetime = { notBefore: now - 3600n, notAfter: now + 14n * 86400n }
  return generateKeyPackageWithKey(credential, defaultCapabilities(), lifetime, [], keys, cs)
}

async function keyPackage(request) {
  const made = await makePackage(client(request))
  client(request).packages.push(made)
  return { key_package: write("mls_key_package", "keyPackage", made.publicPackage) }
}

function addPsk(request) {
  const holder = request.group === undefined ? client(request) : group(request)
  holder.psks[bytesToBase64(octets(request.psk_id))] = octets(request.psk)
}

// --- Into a group --------------------------------------------------------------------------

async function newGroup(request) {
  const owner = client(request)
  const { publicPackage, privatePackage } = await makePackage(owner)
  const id = request.group_id === undefined ? new Uint8Array(randomBytes(16)) : octets(request.group_id)
  return { group: hold(owner, await createGroup(id, publicPackage, privatePackage, [], owner.cs)) }
}

async function join(request) {
  const owner = client(request)
  const { welcome } = read(request.welcome, "mls_welcome")
  const wanted = new Set(welcome.secrets.map((each) => hex(each.newMember)))
  for (const own of owner.packages) {
    if (!wanted.has(hex(await makeKeyPackageRef(own.publicPackage, owner.cs.hash)))) continue
    const psks = makePskIndex(undefined, owner.psks)
    const state = await joinGroup(welcome, own.publicPackage, own.privatePackage, psks, owner.cs)
    owner.packages.splice(owner.packages.indexOf(own), 1)
    return { group: hold(owner, state) }
  }
  throw new Error("the Welcome is for no key package of this client")
}

async function groupInfo(request) {
  const { owner, state } = group(request)
  const pair = await owner.cs.hpke.deriveKeyPair(state.keySchedule.externalSecret)
  const extensions = [
    {
      extensionType: "external_pub",
      extensionData: externalPubData(await owner.cs.hpke.exportPublicKey(pair.publicKey)),
    },
    { extensionType: "ratchet_tree", extensionData: encodeRatchetTree(state.ratchetTree) },
  ]
  const info = await createGroupInfo(state.groupContext, state.confirmationTag, state, extensions, owner.cs)
  return { group_info: write("mls_group_info", "groupInfo", info) }
}

async function externalJoin(request) {
  const owner = client(request)
  const { groupInfo: info } = read(request.group_info, "mls_group_info")
  const { publicPackage, privatePackage } = await makePackage(owner)
  const resync = request.resync ?? false
  const made = await joinGroupExternal(info, publicPackage, privatePackage, resync, owner.cs)
  return {
    group: hold(owner, made.newState),
    commit: write("mls_public_message", "publicMessage", made.publicMessage),
  }
}

// --- Changing a group ----------------------------------------------------------------------

async function commit(held, extraProposals) {
  if (held.pending !== undefined) throw new Error("a Commit is pending")
  const context = { state: held.state, cipherSuite: held.owner.cs, pskIndex: pskIndex(held) }
  const made = await createCommit(context, { extraProposals, ratchetTreeExtension: true })
  held.pending = made.newState
  return {
    commit: hex(encodeMlsMessage(made.commit)),
    welcomes: made.welcome === undefined ? [] : [write("mls_welcome", "welcome", made.welcome)],
  }
}

const adds = (request) =>
  request.key_packages.map((each) => ({
    proposalType: "add",
    add: { keyPackage: read(each, "mls_key_package").keyPackage },
  }))

const removes = (request) =>
  leaves(group(request), request).map((removed) => ({ proposalType: "remove", remove: { removed } }))

const psks = (request) =>
  (request.psk_ids ?? []).map((each) => ({
    proposalType: "psk",
    psk: {
      preSharedKeyId: {
        psktype: "external",
        pskId: octets(each),
        pskNonce: new Uint8Array(randomBytes(group(request).owner.cs.kdf.size)),
      },
    },
  }))

async function propose(held, proposals) {
  let { state } = held
  const messages = []
  for (const proposal of proposals) {
    const made = await createProposal(state, false, proposal, held.owner.cs)
    state = made.newState
    messages.push(hex(encodeMlsMessage(made.message)))
  }
  held.state = state
  return { proposals: messages }
}

function merge(request) {
  const held = group(request)
  if (held.pending === undefined) throw new Error("no Commit is pending")
  held.state = held.pending
  held.pending = undefined
  return { epoch: Number(held.state.groupContext.epoch) }
}

// --- Messages ------------------------------------------------------------------------------

async function process(request) {
  const held = group(request)
  const message = read(request.message, "mls_private_message", "mls_public_message")
  const { cs } = held.owner
  let kind = "application"
  const note = (incoming) => {
    kind = incoming.kind
    return acceptAll(incoming)
  }
  const result =
    message.wireformat === "mls_public_message"
      ? await processPublicMessage(held.state, message.publicMessage, pskIndex(held), cs, note)
      : await processPrivateMessage(held.state, message.privateMessage, pskIndex(held), cs, note)
  if (kind === "application" && request.cmd !== "process" && result.message === undefined)
    throw new Error("not an application message")
  held.state = result.newState
  if (kind === "application") return { kind, plaintext: hex(result.message) }
  if (kind === "proposal") return { kind }
  held.pending = undefined
  const removed = held.state.groupActiveState.kind === "removedFromGroup"
  return { kind, epoch: Number(held.state.groupContext.epoch), removed }
}

async function decrypt(request) {
  const message = read(request.message, "mls_private_message")
  if (message.privateMessage.contentType !== "application") throw new Error("no application message")
  const { plaintext } = await process(request)
  return { plaintext }
}

async function encrypt(request) {
  const held = group(request)
  const made = await createApplicationMessage(held.state, octets(request.plaintext), held.owner.cs)
  held.state = made.newState
  return { message: write("mls_private_message", "privateMessage", made.privateMessage) }
}

// --- Looking -------------------------------------------------------------------------------

async function exportSecret(request) {
  const { owner, state } = group(request)
  const context = octets(request.context)
  const { exporterSecret } = state.keySchedule
  return { secret: hex(await mlsExporter(exporterSecret, request.label, context, request.length, owner.cs)) }
}

function describe(request) {
  const { state } = group(request)
  return {
    epoch: Number(state.groupContext.epoch),
    members: members(state),
    epoch_authenticator: hex(state.keySchedule.epochAuthenticator),
  }
}

await serve({
  hello: () => ({ protocol: 1, impl: "ts-mls 1.6.4", suites: SUITES, features: FEATURES, quirks: QUIRKS }),
  new_client: newClient,
  key_package: keyPackage,
  create_group: newGroup,
  add: (request) => commit(group(request), adds(request)),
  remove: (request) => commit(group(request), removes(request)),
  update: (request) => commit(group(request), []),
  commit: (request) => commit(group(request), psks(request)),
  propose_add: (request) => propose(group(request), adds(request)),
  propose_remove: (request) => propose(group(request), removes(request)),
  merge,
  discard: (request) => void (group(request).pending = undefined),
  join,
  process,
  decrypt,
  encrypt,
  export: exportSecret,
  state: describe,
  group_info: groupInfo,
  external_join: externalJoin,
  add_psk: addPsk,
  ...following({ client, group, hold, read, write, makePackage }),
  quit: () => ({}),
})
