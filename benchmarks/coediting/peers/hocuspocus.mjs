// Hocuspocus as it comes, with no extension: it keeps documents in memory alone.
import { Server } from '@hocuspocus/server'

import './collect_garbage.mjs'

await new Server({
  address: '127.0.0.1',
  port: Number(process.env.PORT),
  quiet: true,
  timeout: 600_000, // the driver's idle clients say nothing of where they are, as those of people do
}).listen()
