// Frames of y-protocols. Hocuspocus writes the document's name before each; the others have it in the address.
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'

export const [SYNC, , AUTH, , SYNC_REPLY] = [0, 1, 2, 3, 4]
export const [STATE, ANSWER, UPDATE] = [0, 1, 2]
export const EMPTY_VECTOR = Uint8Array.of(0)
export const EMPTY_UPDATE = Uint8Array.of(0, 0)

export function syncFrame (name, step, data) {
  return written(name, encoder => {
    encoding.writeVarUint(encoder, SYNC)
    encoding.writeVarUint(encoder, step)
    encoding.writeVarUint8Array(encoder, data)
  })
}

/** A token for Hocuspocus, which wants one before all else, also when nobody looks at it. */
export function tokenFrame (name) {
  return written(name, encoder => {
    encoding.writeVarUint(encoder, AUTH)
    encoding.writeVarUint(encoder, 0)
    encoding.writeVarString(encoder, 'any')
  })
}

/** Return the step and the data of a sync frame, and null for any other. */
export function readSync (frame, named) {
  const decoder = decoding.createDecoder(frame)
  if (named) decoding.readVarUint8Array(decoder)
  const kind = decoding.readVarUint(decoder)
  if (kind !== SYNC && kind !== SYNC_REPLY) return null
  return { step: decoding.readVarUint(decoder), data: decoding.readVarUint8Array(decoder) }
}

function written (name, write) {
  const encoder = encoding.createEncoder()
  if (name !== null) encoding.writeVarString(encoder, name)
  write(encoder)
  return encoding.toUint8Array(encoder)
}
