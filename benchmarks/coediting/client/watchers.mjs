// One writer and many who watch, in one process: by one clock, each update of the writer is timed to each watcher.
import * as Y from 'yjs'

import { Connection } from './connection.mjs'
import { opened } from './opening.mjs'

const SETTLE_MS = 10_000

export class Watchers {
  /** Open the sockets. */
  static async opened (target, room, count) {
    const watchers = new Watchers()
    watchers.writer = await Connection.joined(target, room)
    Y.applyUpdate(watchers.doc, watchers.writer.answer)
    watchers.sockets = await opened(target, Array(count).fill(room), watcher => data => watchers.hear(watcher, data))
    for (const socket of watchers.sockets) socket.answer = null // 2 MB each
    return watchers
  }

  constructor () {
    this.doc = new Y.Doc()
    this.doc.on('update', (update, origin) => { if (origin === this) this.writer.send(update) })
    this.written = 0 // how many updates ever; the next has this number as its clock
    this.round = null
  }

  /** Write `count` updates, `perSecond`, of `bytes` each; return the times in ms, and what did not arrive. */
  async writeRound ({ count, perSecond, bytes = 0 }) {
    const round = this.round = {
      first: this.written,
      sentAt: [],
      missing: this.sockets.map(() => new Set()),
      laps: [],
      numbers: new Map()
    }
    const begun = performance.now()
    for (let number = 0; number < count; number++) {
      await until(begun + number * 1000 / perSecond)
      for (const missing of round.missing) missing.add(this.written)
      round.sentAt.push(performance.now())
      this.write(bytes)
    }
    const deadline = performance.now() + SETTLE_MS
    while (round.missing.some(missing => missing.size) && performance.now() < deadline) await sleep(5)
    this.round = null
    return {
      laps: round.laps.map(lap => Math.round(lap * 1000) / 1000),
      sent: count * this.sockets.length,
      undelivered: round.missing.reduce((sum, missing) => sum + missing.size, 0),
      closed: this.sockets.filter(socket => socket.closed !== null).length
    }
  }

  /** Move the first node, as an editor does while somebody drags it; or give it a label of so many bytes. */
  write (bytes) {
    const [node] = this.doc.getMap('flow').get('nodes').values()
    this.doc.transact(() => {
      if (bytes) node.set('label', String.fromCharCode(97 + this.written % 26).repeat(bytes))
      else node.get('position').set('x', this.written)
    }, this)
    this.written += 1
  }

  hear (watcher, data) {
    if (this.round === null) return
    const now = performance.now()
    for (const number of this.numbersIn(data)) {
      if (this.round.missing[watcher].delete(number)) this.round.laps.push(now - this.round.sentAt[number - this.round.first])
    }
  }

  /** Return the numbers of the writer's updates in a message, which may be several merged; each message is read once. */
  numbersIn (data) {
    const { numbers } = this.round
    const beginning = Buffer.from(data.buffer, data.byteOffset, Math.min(data.byteLength, 64)).toString('latin1')
    const key = `${data.byteLength} ${beginning}`
    if (!numbers.has(key)) {
      const found = []
      for (const { id, length } of Y.decodeUpdate(data).structs) {
        if (id.client === this.doc.clientID) for (let at = 0; at < length; at++) found.push(id.clock + at)
      }
      numbers.set(key, found)
    }
    return numbers.get(key)
  }

  /** Close all sockets. */
  async end () {
    await Promise.all([this.writer, ...this.sockets].map(socket => socket.end()))
    this.doc.destroy()
  }
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

async function until (moment) {
  const wait = moment - performance.now()
  if (wait > 0) await sleep(wait)
}
