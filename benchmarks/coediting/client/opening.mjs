import { Connection } from './connection.mjs'

const AT_ONCE = 16

/** Open a connection to each of the rooms, 16 at a time; `listener` makes what hears the updates of each. */
export async function opened (target, rooms, listener = () => undefined) {
  const sockets = new Array(rooms.length)
  let next = 0
  const open = async () => {
    while (next < rooms.length) {
      const place = next++
      sockets[place] = await Connection.joined(target, rooms[place], listener(place))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, open))
  return sockets
}
