// The driver's protocol for a peer in JavaScript: one JSON object a line, each way, in order.

import { createInterface } from "node:readline"

export class Unsupported extends Error {}

export async function serve(commands) {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    let request = {}
    let reply
    try {
      request = JSON.parse(line)
      const command = commands[request.cmd]
      if (command === undefined) throw new Unsupported(`${request.cmd} is not supported`)
      reply = { ok: true, ...(await command(request)) }
    } catch (error) {
      reply = { ok: false, error: String(error) }
      if (error instanceof Unsupported) reply.unsupported = true
    }
    process.stdout.write(`${JSON.stringify({ id: request.id ?? null, ...reply })}\n`)
    if (request.cmd === "quit") break
  }
  process.stdin.destroy()
}

export const hex = (bytes) => Buffer.from(bytes).toString("hex")

export function octets(text) {
  if (!/^([0-9a-f]{2})*$/i.test(text)) throw new Error("not hex")
  return new Uint8Array(Buffer.from(text, "hex"))
}
