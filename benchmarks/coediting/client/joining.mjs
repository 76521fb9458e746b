import { Connection } from './connection.mjs'

/**
 * Join a room every so many ms, until told to stop: as often at a slow server as at a fast one, but for joins that
 * take longer than that.
 */
export class Joining {
  constructor (target, room, everyMs) {
    this.laps = []
    this.smallest = Infinity
    this.stopped = false
    this.done = this.run(target, room, everyMs)
  }

  async run (target, room, everyMs) {
    while (!this.stopped) {
      const begun = performance.now()
      const connection = await Connection.joined(target, room)
      this.laps.push(performance.now() - begun)
      this.smallest = Math.min(this.smallest, connection.answer.byteLength)
      await connection.end()
      await new Promise(resolve => setTimeout(resolve, Math.max(0, begun + everyMs - performance.now())))
    }
  }

  /** Return how long each took, in ms, and the least that one was told, in bytes. */
  async stop () {
    this.stopped = true
    await this.done
    return { laps: this.laps, smallest: this.smallest }
  }
}
