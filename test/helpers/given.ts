/** What scripts/test prepared for the suites and hands over in the environment. */

function given(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run the tests through scripts/test`);
  return value;
}

/** The compiled program under test. */
export const devboxBinary = (): string => given("DEVBOX_TEST_BINARY");

/** `127.0.0.1:PORT` of a read-only registry with every image of images/build.ts. */
export const registryAddress = (): string => given("DEVBOX_TEST_REGISTRY");

/** Directory with the same images as OCI layouts, by name. */
export const layouts = (): string => given("DEVBOX_TEST_LAYOUTS");

/** A writable ext4 of a few MB of our own, or undefined where none could be mounted. */
export const smallFileSystem = (): string | undefined => process.env["DEVBOX_TEST_SMALL_FS"];

/** `127.0.0.1:PORT/name:latest`. */
export const imageName = (name: string): string => `${registryAddress()}/${name}:latest`;
