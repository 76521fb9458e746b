// One connection to any of the three servers, without a document of its own: what comes is handed on.
import WebSocket from 'ws'

import { ANSWER, EMPTY_UPDATE, EMPTY_VECTOR, STATE, UPDATE, readSync, syncFrame, tokenFrame } from './frames.mjs'

const PATIENCE_MS = 60_000

/** Where a server is, and what it wants: {url, query, named}; `named` servers want the room's name in each frame. */
export class Connection {
  /** Connect, and resolve when the server has told all that it has; that is `connection.answer`. */
  static async joined (target, room, onUpdate = () => {}) {
    const connection = new Connection(target, room, onUpdate)
    await connection.joining
    return connection
  }

  constructor (target, room, onUpdate) {
    this.name = target.named ? room : null
    this.socket = new WebSocket(target.url.replace('{room}', target.named ? '' : room))
    this.closed = null // the code, when the server has closed
    this.answer = null
    this.joining = new Promise((resolve, reject) => {
      const patience = setTimeout(() => reject(new Error(`no answer from ${target.name}`)), PATIENCE_MS)
      this.socket.on('open', () => {
        if (target.named) this.socket.send(tokenFrame(this.name))
        this.socket.send(syncFrame(this.name, STATE, EMPTY_VECTOR))
      })
      this.socket.on('message', frame => {
        const sync = readSync(frame, target.named)
        if (sync === null) return
        if (sync.step === UPDATE) onUpdate(sync.data)
        else if (sync.step === STATE) this.socket.send(syncFrame(this.name, ANSWER, EMPTY_UPDATE))
        else if (sync.step === ANSWER && this.answer === null) {
          this.answer = sync.data
          clearTimeout(patience)
          resolve()
        }
      })
      this.socket.on('error', reject)
      this.socket.on('close', code => {
        this.closed = code
        clearTimeout(patience)
        reject(new Error(`${target.name} closed the socket with ${code}`))
      })
    })
  }

  /** Send a change. */
  send (update) {
    this.socket.send(syncFrame(this.name, UPDATE, update))
  }

  /** Read no more; what the server sends fills the system's buffers, and then its own. */
  stall () {
    this.socket.pause()
  }

  /** Read on until nothing comes any more; return how many bytes had waited. */
  async unstall () {
    const socket = this.socket._socket // the frames' last may be cut off
    const before = socket.bytesRead
    this.socket.resume()
    for (let read = -1; read !== socket.bytesRead;) {
      read = socket.bytesRead
      await new Promise(resolve => setTimeout(resolve, 500))
    }
    return socket.bytesRead - before
  }

  /** Cut the connection, and resolve when it is gone. */
  async end () {
    if (this.socket.readyState === WebSocket.CLOSED) return
    const gone = new Promise(resolve => this.socket.once('close', resolve))
    this.socket.resume()
    this.socket.terminate()
    await gone
  }
}
