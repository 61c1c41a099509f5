import { afterEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import * as net from "node:net";
import * as tls from "node:tls";
import type { SocketRequest } from "../../src/adapters/kafkajs/client.ts";
import { Sockets } from "../../src/adapters/kafkajs/sockets.ts";

/** A pair that nobody but these tests trusts. */
const key = `
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgtI1vfhi4lbR3U7jZ
Bwy4FRCCbxe5QrNQIpSLxbppImKhRANCAAQ4d0IY3cSb2elp26plTNxflyQ06Tti
w68AIdItBKgCcnYfpPuaga3ltV0z5u243FM6TrmEOU/RXb3fdS0dSSTr
-----END PRIVATE KEY-----
`;
const cert = `
-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUD6TaKFSe6X6doDJC3mGfaEGSKEowCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNjE1MDkxM1oYDzIxMjYxMTAy
MTUwOTEzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQ4d0IY3cSb2elp26plTNxflyQ06Ttiw68AIdItBKgCcnYfpPuaga3l
tV0z5u243FM6TrmEOU/RXb3fdS0dSSTro2kwZzAdBgNVHQ4EFgQU35T//cCQWQVT
yybQ4qMjHzR7lUwwHwYDVR0jBBgwFoAU35T//cCQWQVTyybQ4qMjHzR7lUwwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SAAwRQIgHOE3yR1EI6zDmrOnjWTH2dQpWIhdBk37ZFDBb7s/yvcCIQDuDuqhuuD5
hMKiZPG1MpxHRSAXp3Ty9ltGQA2dtsDDMw==
-----END CERTIFICATE-----
`;

const RESPONSE_BYTES = 300_000;
const response: Buffer = Buffer.alloc(4 + RESPONSE_BYTES, 7);
response.writeUInt32BE(RESPONSE_BYTES);

/** Answers what it is asked with a response, and hangs up after the second one. */
function answer(socket: net.Socket): void {
  let asked = 0;
  socket.on("data", () => {
    socket.write(response);
    if (++asked === 2) socket.end();
  });
}

describe("Sockets", () => {
  let server: net.Server | undefined;
  afterEach(() => server?.close());

  test.each(["plain", "TLS"])("reads responses over %s connections, and their end", async (how) => {
    server = how === "TLS" ? tls.createServer({ key, cert }, answer) : net.createServer(answer);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;
    const ssl = how === "TLS" ? { rejectUnauthorized: false } : undefined;
    const sockets = new Sockets(["unused:1"], undefined);
    let connected: () => void = () => {};
    const connecting = new Promise<void>((resolve) => {
      connected = resolve;
    });
    const request = { host: "127.0.0.1", port, ssl, onConnect: connected } as SocketRequest;
    const socket = sockets.factory(request);
    let heard = Buffer.alloc(0);
    socket.on("data", (piece) => {
      heard = Buffer.concat([heard, piece]);
      if (heard.length === response.length) socket.write("again");
    });
    const ended = once(socket, "end");
    await connecting;
    socket.write("once");
    await ended;
    expect(heard.equals(Buffer.concat([response, response]))).toBe(true);
    socket.destroy();
  });
});
