// The reference tus server over HTTPS on a free loopback port, for the upload client's tests.
// usage: node server.mjs CERT KEY FOLDER     prints its port, ends when its input ends
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const [cert, key, directory] = process.argv.slice(2);
const tus = new Server({ path: "/up/files", datastore: new FileStore({ directory }) });
const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) =>
  tus.handle(request, response),
);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
