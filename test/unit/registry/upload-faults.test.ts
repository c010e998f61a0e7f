/** Whatever happens on the way: the right blob, or an error that says why; never another blob. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { DevboxError } from "../../../src/core/errors.ts";
import { type Fault, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { openClient, patternBytes, recordingContext } from "../../helpers/registry-client.ts";
import { contentOf } from "../../helpers/upload-content.ts";

const attempts = 5;
const maxFaults = attempts + 2;

const size = fc.oneof(fc.nat(3000), fc.integer({ min: 1_000_000, max: 3_000_000 }));

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({
    kind: fc.constant("break" as const),
    afterBytes: fc.oneof(fc.nat(5000), fc.nat(3_000_000)),
    keeps: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("status" as const), status: fc.constantFrom(408, 429, 500, 502, 503) }),
  fc.constantFrom<Fault>(
    { kind: "reset" },
    { kind: "lose-upload" },
    { kind: "revoke" },
    { kind: "headers", headers: { range: undefined } },
    { kind: "headers", headers: { range: "0-0" } },
    { kind: "headers", headers: { range: "0-123" } },
  ),
);

/** A wrong range is an answer to content only. */
const wrongRange = fc.constant<[RegExp, Fault]>([/^(PATCH|PUT)/, { kind: "status", status: 416 }]);
const anyFault = fc.tuple(fc.constantFrom(/^(PATCH|PUT)/, /^GET/, /^POST/, /^HEAD/, /./), fault);
const faults = fc.array(fc.oneof({ weight: 5, arbitrary: anyFault }, { weight: 1, arbitrary: wrongRange }), {
  maxLength: maxFaults,
});

test("any sequence of faults", async () => {
  await fc.assert(
    fc.asyncProperty(size, faults, fc.boolean(), async (length, planned, seekable) => {
      await using registry = await startFaultyRegistry({ auth: { kind: "bearer", expiresInSeconds: 3600 } });
      const content = contentOf(patternBytes(length, length + 1), { seekable });
      const retry = { attempts, baseMs: 0, maxMs: 0, retryAfterMaxMs: 0 };
      await using client = openClient(registry.host, recordingContext(), { access: "push", retry });
      // Where it listens is found before anything happens: first-contact.ts has tests of its own.
      await client.hasBlob(contentOf(new Uint8Array([1])).descriptor);
      for (const [match, one] of planned) registry.fault(match, one, 1);
      const outcome = await client.pushBlob(content).catch((error: unknown) => error);
      const stored = registry.findBlob(content.descriptor.digest);
      if (outcome === "copied") expect(Buffer.from(content.bytes).equals(stored ?? new Uint8Array([1]))).toBe(true);
      else expect(outcome).toBeInstanceOf(DevboxError);
      // Under the limit of tries there is no excuse, but that a token just given and refused means no.
      const revocations = planned.filter(([, { kind }]) => kind === "revoke").length;
      if (planned.length < attempts && revocations < 2) expect(outcome).toBe("copied");
    }),
    { numRuns: 100 },
  );
}, 60_000);
