/** undici types only its index; these are the modules that `http.ts` loads instead (undici 8.13). */

declare module "undici-http/lib/api/api-request.js" {
  import type { Dispatcher } from "undici-http";
  export default function request(
    this: Dispatcher,
    // Any iterable will do as a body (lib/core/request.js), which the package's own types do not say.
    options: Omit<Dispatcher.RequestOptions, "body"> & {
      readonly body: string | Uint8Array | AsyncIterable<Uint8Array> | null;
    },
  ): Promise<Dispatcher.ResponseData>;
}

declare module "undici-http/lib/dispatcher/agent.js" {
  export { Agent as default } from "undici-http";
}
