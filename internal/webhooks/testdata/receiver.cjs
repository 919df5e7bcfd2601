// A receiver that verifies with the standard's own library for JavaScript, and keeps ids: the library does not.
// node receiver.cjs <folder of the library> <secret>; it says its port in the first line, and ends with its standard input.
const http = require("node:http");
const { Webhook } = require(process.argv[2]);

const webhook = new Webhook(process.argv[3]);
const handled = new Set();

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    try {
      webhook.verify(Buffer.concat(parts), request.headers);
    } catch (refused) {
      response.writeHead(401).end(refused.message);
      return;
    }
    const id = request.headers["webhook-id"];
    const before = handled.has(id);
    handled.add(id);
    response.writeHead(200).end(before ? "handled before" : "handled");
  });
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
