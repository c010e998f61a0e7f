/** How boxes of a committed image run: docker's rules for what a container's config becomes. */
import { expect, test } from "bun:test";
import { committedExecution, seenOptions } from "../../../src/box/committed-config.ts";
import type { RuntimeConfig } from "../../../src/oci/runtime.ts";
import type { BoxRecord } from "../../../src/store/types.ts";
import { runOptions } from "../../helpers/bundle-input.ts";

const image = {
  Cmd: ["serve"],
  Entrypoint: ["/init"],
  Env: ["PATH=/bin", "A=image", "B=image"],
  Labels: { kept: "1", tier: "image" },
  Volumes: { "/data": {} },
  OnBuild: ["RUN make"],
  Healthcheck: { Test: ["CMD", "check"] },
};

test("what was not asked for is the image's, but for its triggers", () => {
  const { OnBuild: _onBuild, ...rest } = image;
  expect(committedExecution(image, runOptions(), undefined)).toEqual(rest);
});

test("what was asked for comes over it", () => {
  const options = runOptions({
    command: ["other"],
    env: ["A=mine", "B", "NEW=x=y"],
    labels: { tier: "box" },
    user: "dev",
    workdir: "/srv",
    stopSignal: "SIGINT",
    ports: [{ hostIp: "", hostPort: 80, containerPort: 8080, protocol: "udp" }],
    mounts: [
      { kind: "anonymous", target: "/own" },
      { kind: "tmpfs", target: "/not", options: [] },
    ],
  });
  expect(committedExecution(image, options, undefined)).toMatchObject({
    Cmd: ["other"],
    Entrypoint: ["/init"],
    Env: ["PATH=/bin", "A=mine", "NEW=x=y"],
    Labels: { kept: "1", tier: "box" },
    User: "dev",
    WorkingDir: "/srv",
    StopSignal: "SIGINT",
    ExposedPorts: { "8080/udp": {} },
    Volumes: { "/data": {}, "/own": {} },
  });
});

test("an entrypoint of one's own drops the image's command, an empty one both", () => {
  const own = committedExecution(image, runOptions({ entrypoint: ["sh"] }), undefined);
  expect([own.Entrypoint, own.Cmd]).toEqual([["sh"], undefined]);
  const none = committedExecution(image, runOptions({ entrypoint: [], command: ["ls"] }), undefined);
  expect([none.Entrypoint, none.Cmd]).toEqual([undefined, ["ls"]]);
});

test("a check of its health that was asked for, or taken away", () => {
  const health = {
    args: ["/bin/sh", "-c", "true"],
    intervalMs: 1000,
    timeoutMs: 2000,
    retries: 3,
    startPeriodMs: 0,
    startIntervalMs: 5000,
  };
  const asked = committedExecution(image, runOptions({ health: { command: "true" } }), health);
  expect(asked.Healthcheck).toMatchObject({ Test: ["CMD", "/bin/sh", "-c", "true"], Interval: 1e9, Retries: 3 });
  const none = committedExecution(image, runOptions({ health: { disabled: true } }), undefined);
  expect(none.Healthcheck).toEqual({ Test: ["NONE"] });
});

test("of a box whose options nobody has written down: what its process shows", () => {
  const seen = (command: string[], args: string[]) =>
    seenOptions(
      { command, labels: {} } as unknown as BoxRecord,
      {
        process: { args, env: ["PATH=/bin", "HOSTNAME=x", "A=image", "B=mine"], cwd: "/srv", user: { uid: 5, gid: 6 } },
      } as unknown as RuntimeConfig,
      image,
    );
  expect(seen([], ["/init", "serve"])).toEqual({
    command: [],
    labels: {},
    env: ["B=mine"],
    workdir: "/srv",
    user: "5:6",
  });
  expect(seen(["ls", "-l"], ["/init", "ls", "-l"])).not.toHaveProperty("entrypoint");
  expect(seen(["-l"], ["ls", "-l"])).toMatchObject({ entrypoint: ["ls"] });
});
