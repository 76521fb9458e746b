// Before memory is read, what is no longer used is let go: `kill -USR2`, of a Node started with --expose-gc.
process.on('SIGUSR2', () => globalThis.gc())
