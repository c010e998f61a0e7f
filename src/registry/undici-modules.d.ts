/** undici types only its index; these are the modules that `http.ts` loads instead (undici 8.13). */

declare module "undici-http/lib/api/api-request.js" {
  import type { Dispatcher } from "undici-http";
  export default function request(
    this: Dispatcher,
    options: Dispatcher.RequestOptions,
  ): Promise<Dispatcher.ResponseData>;
}

declare module "undici-http/lib/dispatcher/agent.js" {
  export { Agent as default } from "undici-http";
}
