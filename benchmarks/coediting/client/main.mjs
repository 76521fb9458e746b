// The driver: a command as a line of JSON on stdin, its answer as one on stdout. `benchmarks/coediting/driver.py` asks.
import { readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'

import { Connection } from './connection.mjs'
import { Joining } from './joining.mjs'
import { opened } from './opening.mjs'
import { Watchers } from './watchers.mjs'

const target = JSON.parse(process.argv[2])
let idle = []
let watchers = null
let joining = null
let stalled = null

const commands = {
  /** Write all that a room has to a file. */
  async fetch ({ room, file }) {
    const connection = await Connection.joined(target, room)
    await writeFile(file, connection.answer)
    await connection.end()
  },

  /** Bring what is in a file into rooms, and wait until somebody else can have it. */
  async fill ({ rooms, file }) {
    const update = await readFile(file)
    for (const room of rooms) {
      const filler = await Connection.joined(target, room)
      filler.send(update)
      for (let size = 0; size < update.byteLength / 2;) {
        const other = await Connection.joined(target, room)
        size = other.answer.byteLength
        await other.end()
      }
      idle.push(filler) // the peers may forget a room that nobody is in
    }
  },

  /** Open sockets that stay and do nothing, one for each name in `rooms`. */
  async open ({ rooms }) {
    const begun = performance.now()
    const sockets = await opened(target, rooms)
    const seconds = (performance.now() - begun) / 1000
    for (const socket of sockets) socket.answer = null
    idle.push(...sockets)
    return { seconds }
  },

  async close () {
    await Promise.all(idle.map(socket => socket.end()))
    idle = []
  },

  async watch ({ room, observers }) {
    watchers = await Watchers.opened(target, room, observers)
  },

  async write (round) {
    return await watchers.writeRound(round)
  },

  async unwatch () {
    await watchers.end()
    watchers = null
  },

  async join ({ room, everyMs }) {
    joining = new Joining(target, room, everyMs)
  },

  async joined () {
    return await joining.stop()
  },

  /** Open a socket that reads nothing after it has joined. */
  async stall ({ room }) {
    stalled = await Connection.joined(target, room)
    stalled.stall()
  },

  /** Read again; tell what had waited, and with what code the server had closed, if it had. */
  async unstall () {
    const waited = await stalled.unstall()
    const { closed } = stalled
    await stalled.end()
    return { waited, closed }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line)
  const answer = await commands[command](options)
  process.stdout.write(`${JSON.stringify(answer ?? {})}\n`)
}
process.exit()
