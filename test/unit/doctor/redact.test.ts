import { expect, test } from "bun:test";
import { redactEnvironment, redactJson, redactJsonText, redactText } from "../../../src/doctor/redact.ts";

test("docker's config.json: registries and helpers stay, credentials go", () => {
  const config = {
    auths: {
      "ghcr.io": { auth: "dXNlcjpzM2NyZXQ=" },
      "index.docker.io/v1/": { auth: "x", email: "me@example.com", identitytoken: "eyJhbGciOi" },
      "empty.example": {},
    },
    credsStore: "secretservice",
    credHelpers: { "gcr.io": "gcloud" },
    HttpHeaders: { "X-Meta": "s3cret", Authorization: "Bearer abc" },
    proxies: { default: { httpProxy: "http://user:s3cret@proxy:3128", noProxy: "localhost" } },
    experimental: "enabled",
    psFormat: "table",
    nested: { apiKey: ["one", "two"], deeper: { password: { value: "s3cret" } } },
  };
  expect(redactJson(config)).toEqual({
    auths: {
      "ghcr.io": { auth: "[redacted]" },
      "index.docker.io/v1/": { auth: "[redacted]", email: "me@example.com", identitytoken: "[redacted]" },
      "empty.example": {},
    },
    credsStore: "secretservice",
    credHelpers: { "gcr.io": "gcloud" },
    HttpHeaders: { "X-Meta": "[redacted]", Authorization: "[redacted]" },
    proxies: { default: { httpProxy: "http://[redacted]@proxy:3128", noProxy: "localhost" } },
    experimental: "enabled",
    psFormat: "table",
    nested: { apiKey: ["[redacted]", "[redacted]"], deeper: { password: { value: "[redacted]" } } },
  });
});

test("a registry named after a secret word keeps its shape and loses its secret", () => {
  expect(redactJson({ auths: { "token.example": { auth: "x" } } })).toEqual({
    auths: { "token.example": { auth: "[redacted]" } },
  });
});

test("what is not JSON is told by its size only", () => {
  expect(redactJsonText('{"auths": {"a": {"auth": "s3cret"')).toBe("not JSON, 33 characters\n");
  expect(redactJsonText('{"a":1}')).toBe('{\n  "a": 1\n}\n');
});

test("text: URLs, assignments, mount options, headers", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["location = 'https://user:s3cret@mirror.example/v2'", "location = 'https://[redacted]@mirror.example/v2'"],
    ["https://s3cret@host/", "https://[redacted]@host/"],
    ['password = "s3 cret"', "password = [redacted]"],
    ["identity_token: s3cret", "identity_token: [redacted]"],
    ["rw,username=me,pass=s3cret,uid=1000", "rw,username=me,pass=[redacted],uid=1000"],
    ["Authorization: Bearer s3cret.x-y", "Authorization: [redacted] [redacted]"],
    ["unqualified-search-registries = ['docker.io']", "unqualified-search-registries = ['docker.io']"],
    ["36 35 98:0 /mnt /mnt rw,noatime - ext4 /dev/root rw", "36 35 98:0 /mnt /mnt rw,noatime - ext4 /dev/root rw"],
  ];
  for (const [text, safe] of cases) expect(redactText(text)).toBe(safe);
});

test("environment: all names, few values", () => {
  expect(
    redactEnvironment({
      PATH: "/usr/bin",
      GITHUB_TOKEN: "ghp_s3cret",
      AWS_ACCESS_KEY_ID: "AKIA",
      MY_APP: "s3cret",
      https_proxy: "http://me:s3cret@proxy:1",
      DEVBOX_STORE: "/data",
      DEVBOX_TOKEN: "s3cret",
      REGISTRY_AUTH_FILE: "/run/auth.json",
      DBUS_SESSION_BUS_ADDRESS: "unix:path=/run/bus",
    }),
  ).toEqual({
    AWS_ACCESS_KEY_ID: "[redacted]",
    DBUS_SESSION_BUS_ADDRESS: "[redacted]",
    DEVBOX_STORE: "/data",
    DEVBOX_TOKEN: "[redacted]",
    GITHUB_TOKEN: "[redacted]",
    MY_APP: "[redacted]",
    PATH: "/usr/bin",
    REGISTRY_AUTH_FILE: "/run/auth.json",
    https_proxy: "http://[redacted]@proxy:1",
  });
});
