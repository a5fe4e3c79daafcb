// Commands beyond the driver's protocol, for ts-mls on suite 1: groups that follow a group, and
// proposing to be added.

import {
  branchGroup,
  encodeMlsMessage,
  joinGroupFromBranch,
  joinGroupFromReinit,
  proposeAddExternal,
  reinitCreateNewGroup,
  reinitGroup,
} from "ts-mls"
import { encodeRatchetTree } from "ts-mls/ratchetTree.js"
import { hex, octets } from "./lines.mjs"

const NAME = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"

export function following({ client, group, hold, read, write, makePackage }) {
  const begun = (owner, { newState, welcome }) => ({
    group: hold(owner, newState),
    welcome: write("mls_welcome", "welcome", welcome),
    ratchet_tree: hex(encodeRatchetTree(newState.ratchetTree)),
  })
  const packages = (request) => request.key_packages.map((each) => read(each, "mls_key_package").keyPackage)

  async function reinit(request) {
    const held = group(request)
    const id = octets(request.new_group_id)
    const made = await reinitGroup(held.state, id, "mls10", NAME, [], held.owner.cs)
    held.state = made.newState
    return { commit: hex(encodeMlsMessage(made.commit)) }
  }

  async function reinitNew(request) {
    const { owner, state } = group(request)
    const { publicPackage, privatePackage } = await makePackage(owner)
    const id = octets(request.new_group_id)
    const others = packages(request)
    return begun(owner, await reinitCreateNewGroup(state, publicPackage, privatePackage, others, id, NAME, []))
  }

  async function branch(request) {
    const { owner, state } = group(request)
    const { publicPackage, privatePackage } = await makePackage(owner)
    const id = octets(request.new_group_id)
    return begun(owner, await branchGroup(state, publicPackage, privatePackage, packages(request), id, owner.cs))
  }

  async function joinSuccessor(request) {
    const { owner, state } = group(request)
    const { welcome } = read(request.welcome, "mls_welcome")
    const { publicPackage, privatePackage } = owner.packages.pop()
    const made =
      request.cmd === "join_reinit"
        ? await joinGroupFromReinit(state, welcome, publicPackage, privatePackage, undefined)
        : await joinGroupFromBranch(state, welcome, publicPackage, privatePackage, undefined, owner.cs)
    return { group: hold(owner, made) }
  }

  async function proposeSelf(request) {
    const owner = client(request)
    const made = await makePackage(owner)
    owner.packages.push(made)
    const { groupInfo } = read(request.group_info, "mls_group_info")
    const { publicPackage, privatePackage } = made
    return {
      proposal: hex(encodeMlsMessage(await proposeAddExternal(groupInfo, publicPackage, privatePackage, owner.cs))),
    }
  }

  return {
    reinit,
    reinit_new: reinitNew,
    branch,
    join_reinit: joinSuccessor,
    join_branch: joinSuccessor,
    propose_self: proposeSelf,
  }
}
