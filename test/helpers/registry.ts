/** Debian's docker-registry on a free loopback port. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";

export interface RegistryOptions {
  /** Its configuration, certificates and passwords lie here. */
  readonly directory: string;
  /** Where it keeps blobs; default: in `directory`. */
  readonly storage?: string;
  /** Refuse pushes: several registries may then serve one storage. */
  readonly readonly?: boolean;
  /** Basic authentication with this one account. */
  readonly account?: { readonly user: string; readonly password: string };
  /** HTTPS with a CA of its own, see `RunningRegistry.ca`. */
  readonly tls?: boolean;
  /** A cache of this registry, a URL: what it does not have it fetches there, and keeps. */
  readonly pullsFrom?: string;
}

export interface RunningRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** File of the CA's certificate when `tls`. */
  readonly ca: string | undefined;
}

/** Ready when it returns: the registry says itself which port it listens on, so there is nothing to guess or to wait for. */
export async function startRegistry(options: RegistryOptions): Promise<RunningRegistry> {
  mkdirSync(options.directory, { recursive: true });
  const tls = options.tls ? await makeCertificates(options.directory) : undefined;
  const file = join(options.directory, "config.json");
  writeFileSync(file, JSON.stringify(await configuration(options, tls)));
  const child = Bun.spawn(["docker-registry", "serve", file], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const address = await listeningAddress(child);
  return {
    address,
    ca: tls?.ca,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** The configuration is YAML, and JSON is YAML. */
async function configuration(options: RegistryOptions, tls: Certificates | undefined): Promise<object> {
  const passwords = join(options.directory, "htpasswd");
  if (options.account !== undefined) {
    const { user, password } = options.account;
    const hash = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
    writeFileSync(passwords, `${user}:${hash}\n`);
  }
  return {
    version: 0.1,
    log: { level: "info", formatter: "json", accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: options.storage ?? join(options.directory, "storage") },
      maintenance: { uploadpurging: { enabled: false }, readonly: { enabled: options.readonly ?? false } },
    },
    http: {
      addr: "127.0.0.1:0",
      secret: "one process, no load balancer",
      ...(tls === undefined ? {} : { tls: { certificate: tls.certificate, key: tls.key } }),
    },
    ...(options.pullsFrom === undefined ? {} : { proxy: { remoteurl: options.pullsFrom } }),
    ...(options.account === undefined ? {} : { auth: { htpasswd: { realm: "test", path: passwords } } }),
  };
}

/** Reads the log up to `listening on 127.0.0.1:PORT`; goes on reading afterwards so that the pipe never fills. */
async function listeningAddress(child: Bun.Subprocess<"ignore", "pipe", "pipe">): Promise<string> {
  const said: string[] = [];
  const found = Promise.withResolvers<string>();
  const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      said.push(decoder.decode(chunk, { stream: true }));
      const address = said
        .slice(-20)
        .join("")
        .match(/listening on (127\.0\.0\.1:\d+)/)?.[1];
      if (address !== undefined) found.resolve(address);
    }
  };
  void Promise.all([read(child.stdout), read(child.stderr)]).then(() =>
    found.reject(new Error(`docker-registry ended before it listened:\n${said.join("")}`)),
  );
  return found.promise;
}

interface Certificates {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** A CA and a certificate for 127.0.0.1 signed by it (openssl-req(1), openssl-x509(1)). */
async function makeCertificates(directory: string): Promise<Certificates> {
  const at = (name: string): string => join(directory, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await $`openssl req -x509 ${newKey} -keyout ${at("ca.key")} -out ${at("ca.crt")} -subj ${"/CN=test CA"}`.quiet();
  await $`openssl req ${newKey} -keyout ${at("tls.key")} -out ${at("tls.csr")} -subj ${"/CN=127.0.0.1"}`.quiet();
  writeFileSync(at("san"), "subjectAltName=IP:127.0.0.1\n");
  await $`openssl x509 -req -in ${at("tls.csr")} -CA ${at("ca.crt")} -CAkey ${at("ca.key")} -CAcreateserial -days 2 -extfile ${at("san")} -out ${at("tls.crt")}`.quiet();
  return { ca: at("ca.crt"), certificate: at("tls.crt"), key: at("tls.key") };
}
