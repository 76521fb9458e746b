// @y/websocket-server as its own command starts it, from PORT and HOST: it keeps documents in memory alone.
import './collect_garbage.mjs'
import '@y/websocket-server/server'
