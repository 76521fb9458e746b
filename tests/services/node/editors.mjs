// Clients of drafts, as a canvas has them: told what to do line by line on standard input, answering line by line.
import readline from 'node:readline'
import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const editors = new Map()

const shared = (value) => {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  const map = new Y.Map()
  for (const [key, item] of Object.entries(value)) map.set(key, shared(item))
  return map
}

const place = (doc, path) => {
  let map = doc.getMap('flow')
  for (const key of path.slice(0, -1)) map = map.get(key)
  return [map, path[path.length - 1]]
}

const commands = {
  open ({ editor, server, params = {}, protocols = [] }) {
    const doc = editors.get(editor)?.doc ?? new Y.Doc()
    const provider = new WebsocketProvider(server, 'sync', doc, {
      params, protocols, WebSocketPolyfill: WebSocket, disableBc: true
    })
    const seen = { doc, provider, closed: null, denied: [], synced: 0, closes: [] }
    provider.on('sync', (synced) => { if (synced) seen.synced++ })
    provider.on('closed', ({ code }) => { seen.closed = code })
    provider.on('connection-close', (event) => { seen.closes.push(event === null ? null : event.code) })
    const denied = provider.messageHandlers[2]
    provider.messageHandlers[2] = (encoder, decoder, ...rest) => {
      seen.denied.push(Buffer.from(decoder.arr).toString('latin1').slice(3))
      console.warn = () => {}
      denied(encoder, decoder, ...rest)
    }
    editors.set(editor, seen)
  },
  set ({ editor, path, value }) {
    const [map, key] = place(editors.get(editor).doc, path)
    map.set(key, shared(value))
  },
  remove ({ editor, path }) {
    const [map, key] = place(editors.get(editor).doc, path)
    map.delete(key)
  },
  type ({ editor, prefix, every }) {
    const seen = editors.get(editor)
    let number = 0
    seen.typing = setInterval(() => {
      const name = `${prefix}${number++}`
      seen.doc.getMap('flow').get('nodes').set(name, shared({ id: name }))
    }, every)
  },
  rest ({ editor }) { clearInterval(editors.get(editor).typing) },
  disconnect ({ editor }) { editors.get(editor).provider.disconnect() },
  connect ({ editor }) { editors.get(editor).provider.connect() },
  say ({ editor, state }) { editors.get(editor).provider.awareness.setLocalState(state) },
  look ({ editor }) {
    const { doc, provider, closed, denied, synced, closes } = editors.get(editor)
    return {
      client: doc.clientID,
      connected: provider.wsconnected,
      isSynced: provider.synced,
      content: doc.getMap('flow').toJSON(),
      diagnostics: doc.getMap('diagnostics').toJSON(),
      who: Object.fromEntries(provider.awareness.getStates()),
      closed,
      denied,
      synced,
      closes
    }
  },
  close ({ editor }) {
    const { doc, provider } = editors.get(editor)
    provider.destroy()
    doc.destroy()
    editors.delete(editor)
  }
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { command, ...told } = JSON.parse(line)
  process.stdout.write(JSON.stringify(commands[command](told) ?? null) + '\n')
}).on('close', () => process.exit(0))
