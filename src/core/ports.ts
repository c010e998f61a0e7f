/** `-p [ip:]host:container[/proto]` as plain data. `hostPort` 0 asks for a free one. */
export interface PortMapping {
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
}
