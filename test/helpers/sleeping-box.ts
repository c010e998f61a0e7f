/** A box that runs until it is told to end, watched by a devbox in the foreground. */
import type { BoxHome } from "./box.ts";
import type { Running } from "./devbox.ts";

/** `devbox run --name NAME FLAGS busybox sh -c SCRIPT; wait`: it is up when this returns. Disposal ends it; it is kept. */
export async function sleepingBox(
  { home, image }: Pick<BoxHome, "home" | "image">,
  name: string,
  flags: readonly string[] = [],
  script = ":",
): Promise<Running> {
  const network = flags.includes("--network") ? [] : ["--network", "none"];
  const line = ["run", "-i=false", "-t=false", "--init", "--name", name, ...network, ...flags, image];
  const running = home.start([...line, "sh", "-c", `${script}; echo up; exec sleep 1000`]);
  await running.output(/^up$/m);
  // The record says "running" a moment before or after that.
  for (;;) {
    const { stdout } = await home.run(["ps", "--format", "{{.Names}}"]);
    if (stdout.split("\n").includes(name)) return running;
  }
}
