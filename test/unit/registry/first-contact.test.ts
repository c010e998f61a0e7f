import { describe, expect, test } from "bun:test";
import { candidateEndpoints } from "../../../src/registry/http/endpoint.ts";
import { type Contact, createContact } from "../../../src/registry/http/first-contact.ts";
import type { HttpResponse } from "../../../src/registry/http/http-client.ts";
import { TransportFailure } from "../../../src/registry/http/transport-error.ts";
import { startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { openClient } from "../../helpers/registry-client.ts";

/** What a port answers: a status, or the code of a failure. */
type Answer = number | string;

/** A registry on loopback (http before https) in which each scheme gives its answers in turn, the last one for ever. */
function registryWith(answers: { readonly http: readonly Answer[]; readonly https: readonly Answer[] }) {
  const asked: string[] = [];
  const left = { http: [...answers.http], https: [...answers.https] };
  const exchange = async (url: URL): Promise<HttpResponse> => {
    const scheme = url.protocol === "http:" ? "http" : "https";
    asked.push(`${scheme} ${url.pathname}`);
    const answer = left[scheme].length > 1 ? left[scheme].shift() : left[scheme][0];
    if (typeof answer === "number") return response(url, answer);
    throw new TransportFailure(url, Object.assign(new Error("broken"), { code: answer }));
  };
  const contact = createContact(candidateEndpoints("127.0.0.1:5000", true), ({ url }) => exchange(url));
  return { asked, send: (path: string) => contact((endpoint) => exchange(new URL(path, endpoint))) };
}

function response(url: URL, status: number): HttpResponse {
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
  return { status, url, header: () => undefined, headerValues: () => [], body, discard: async () => {} };
}

async function statusOf(sent: ReturnType<Contact>): Promise<number | string> {
  return await sent.then(
    ({ status }) => status,
    ({ cause }) => cause.code,
  );
}

const noTls = "ERR_SSL_WRONG_VERSION_NUMBER";

describe("on loopback", () => {
  test.each([200, 401, 404, 503])(
    "status %d over plain http is the registry's, and nothing else is asked",
    async (status) => {
      const { asked, send } = registryWith({ http: [status], https: [noTls] });
      expect([await statusOf(send("a")), await statusOf(send("b"))]).toEqual([status, status]);
      expect(asked).toEqual(["http /a", "http /b"]);
    },
  );

  test("status 400 may be meant: v2/ tells, once", async () => {
    const { asked, send } = registryWith({ http: [400, 200, 404], https: [noTls] });
    expect([await statusOf(send("a")), await statusOf(send("b"))]).toEqual([400, 404]);
    expect(asked).toEqual(["http /a", "http /v2/", "http /b"]);
  });

  test("status 400 of a port that wants TLS", async () => {
    const { asked, send } = registryWith({ http: [400], https: [200] });
    expect([await statusOf(send("a")), await statusOf(send("b"))]).toEqual([200, 200]);
    expect(asked).toEqual(["http /a", "http /v2/", "https /a", "https /b"]);
  });

  test("a port that hangs up on plain http", async () => {
    const { asked, send } = registryWith({ http: ["UND_ERR_SOCKET"], https: [200] });
    expect(await statusOf(send("a"))).toBe(200);
    expect(asked).toEqual(["http /a", "http /v2/", "https /a"]);
  });

  test("a connection that breaks by accident is no port that wants TLS", async () => {
    const { asked, send } = registryWith({ http: ["ECONNRESET", 401, 200], https: [noTls] });
    expect([await statusOf(send("a")), await statusOf(send("a"))]).toEqual(["ECONNRESET", 200]);
    expect(asked).toEqual(["http /a", "http /v2/", "http /a"]);
  });

  test("nobody listens", async () => {
    const { asked, send } = registryWith({ http: ["ECONNREFUSED"], https: ["ECONNREFUSED"] });
    expect(await statusOf(send("a"))).toBe("ECONNREFUSED");
    expect(asked).toEqual(["http /a", "https /a"]);
  });

  test("those that come meanwhile wait, and go the right way", async () => {
    const { asked, send } = registryWith({ http: [400], https: [200] });
    expect(await Promise.all([statusOf(send("a")), statusOf(send("b"))])).toEqual([200, 200]);
    expect(asked.filter((one) => one.endsWith("/b"))).toEqual(["https /b"]);
  });

  test("a failure of the way there leaves the question open", async () => {
    const { asked, send } = registryWith({ http: [200], https: [noTls] });
    const contact = createContact(candidateEndpoints("127.0.0.1:5000", true), () => expect.unreachable());
    const broken = contact(() => Promise.reject(new Error("redirected in a circle")));
    const meanwhile = contact(() => expect.unreachable());
    expect((await Promise.allSettled([broken, meanwhile])).map(({ status }) => status)).toEqual([
      "rejected",
      "rejected",
    ]);
    expect((await contact(() => send("a"))).status).toBe(200);
    expect(asked).toEqual(["http /a"]);
  });

  test("a redirect to a host that does not answer says nothing against the registry", async () => {
    const storage = new URL("http://127.0.0.1:6000/blob");
    const failure = new TransportFailure(storage, Object.assign(new Error("broken"), { code: "ECONNREFUSED" }));
    const contact = createContact(candidateEndpoints("127.0.0.1:5000", true), () => expect.unreachable());
    const hosts: string[] = [];
    for (const outcome of [
      Promise.reject(failure),
      Promise.resolve(response(new URL("http://127.0.0.1:5000/a"), 200)),
    ]) {
      await contact((endpoint) => {
        hosts.push(endpoint.protocol);
        return outcome;
      }).catch(() => {});
    }
    expect(hosts).toEqual(["http:", "http:"]);
  });
});

test("without verification: plain http after TLS has failed", async () => {
  const asked: string[] = [];
  const contact = createContact(candidateEndpoints("lan:5000", false), () => expect.unreachable());
  const { status } = await contact(async (endpoint) => {
    asked.push(endpoint.protocol);
    if (endpoint.protocol === "http:") return response(endpoint, 200);
    throw new TransportFailure(endpoint, Object.assign(new Error("broken"), { code: noTls }));
  });
  expect([status, asked]).toEqual([200, ["https:", "http:"]]);
});

test("a registry that is found by its name has no choice: what fails, fails", async () => {
  const contact = createContact(candidateEndpoints("ghcr.io", true), () => expect.unreachable());
  const failure = new TransportFailure(new URL("https://ghcr.io/"), new Error("broken"));
  expect(contact(() => Promise.reject(failure))).rejects.toBe(failure);
});

test("a real registry sees one request for the first answer", async () => {
  await using registry = await startFaultyRegistry();
  registry.addImage("team/app", "latest", { layers: [] });
  await using client = openClient(registry.host);
  await client.resolve("latest");
  expect(registry.requests.map(({ path }) => path)).toEqual(["/v2/team/app/manifests/latest"]);
});

test("a first connection that breaks is tried again, over plain http", async () => {
  await using registry = await startFaultyRegistry();
  registry.addImage("team/app", "latest", { layers: [] });
  registry.fault(/manifests/, { kind: "reset" }, 1);
  await using client = openClient(registry.host);
  await client.resolve("latest");
  const manifest = "/v2/team/app/manifests/latest";
  expect(registry.requests.map(({ path }) => path)).toEqual([manifest, "/v2/", manifest]);
});
