/** Devices of the host that belong to the box (linux.netDevices, runtime-spec 1.3 config-linux.md "Network Devices"). */
import type { PlanBuilder } from "../launch/plan.ts";
import type { LinuxConfig } from "../oci/runtime.ts";
import type { DeviceAddress } from "./input.ts";
import { addressBytes } from "./ip-address.ts";
import { findDevice, netlinkMessage, openNetlink, RTM_NEWADDR, RTM_NEWLINK, request } from "./netlink.ts";
import { closeSlot } from "./steps.ts";

type NetDevices = NonNullable<LinuxConfig["netDevices"]>;

// linux/if_link.h, linux/if_addr.h, net/if.h
const IFLA_IFNAME = 3;
const IFLA_NET_NS_PID = 19;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFF_UP = 1;

/** struct ifinfomsg: the index at 4, the flags at 8, which of them are meant at 12. */
const linkBytes = 16;
/** struct ifaddrmsg: family, prefix length, flags, scope; the index at 4. */
const addressHeaderBytes = 8;

/**
 * Steps of the launcher: give the devices to the network namespace of the process in slot `pid`, under their names there.
 * With its index and a name, a device is moved and named anew in one request; it is down afterwards, its addresses gone.
 */
export function moveNetDevices(plan: PlanBuilder, devices: NetDevices, pid: number): void {
  plan.scoped(() => {
    const socket = { slot: plan.slot() };
    openNetlink(plan, socket.slot);
    for (const [name, { name: newName = name }] of Object.entries(devices)) {
      plan.scoped(() => {
        const index = plan.slot();
        const message = netlinkMessage(RTM_NEWLINK, new Uint8Array(linkBytes), [
          { type: IFLA_NET_NS_PID, value: new Uint8Array(4) },
          { type: IFLA_IFNAME, value: new TextEncoder().encode(`${newName}\0`) },
        ]);
        findDevice(plan, socket, name, index);
        plan.add({ kind: "store", slot: index, into: message.data, offset: message.body + 4, width: 4 });
        plan.add({ kind: "store", slot: pid, into: message.data, offset: message.values[0] ?? 0, width: 4 });
        const named = newName === name ? "" : ` as ${newName}`;
        request(plan, `move the network device ${name} into the box${named}`, socket, message);
      });
    }
    closeSlot(plan, socket);
  });
}

/** Steps of a process in that namespace: bring them up, and give them the addresses that they had (by name on the host). */
export function bringUpNetDevices(
  plan: PlanBuilder,
  devices: NetDevices,
  addresses: Readonly<Record<string, readonly DeviceAddress[]>>,
): void {
  plan.scoped(() => {
    const socket = { slot: plan.slot() };
    openNetlink(plan, socket.slot);
    for (const [name, { name: newName = name }] of Object.entries(devices)) {
      plan.scoped(() => {
        const index = plan.slot();
        findDevice(plan, socket, newName, index);
        const up = netlinkMessage(RTM_NEWLINK, new Uint8Array(new Uint32Array([0, 0, IFF_UP, IFF_UP]).buffer), []);
        plan.add({ kind: "store", slot: index, into: up.data, offset: up.body + 4, width: 4 });
        request(plan, `bring up the network device ${newName}`, socket, up);
        for (const address of addresses[name] ?? [])
          if (!isLinkLocal(address)) addAddress(plan, socket, newName, index, address);
      });
    }
    closeSlot(plan, socket);
  });
}

/** fe80::/10 (RFC 4291 section 2.5.6): the kernel gives every device one of its own when it comes up. */
function isLinkLocal({ address }: DeviceAddress): boolean {
  return /^fe[89ab]/i.test(address);
}

function addAddress(
  plan: PlanBuilder,
  socket: { readonly slot: number },
  device: string,
  index: number,
  { address, prefixLength }: DeviceAddress,
): void {
  const { family, bytes } = addressBytes(address);
  const header = new Uint8Array(addressHeaderBytes);
  header.set([family, prefixLength]);
  const message = netlinkMessage(RTM_NEWADDR, header, [
    { type: IFA_LOCAL, value: bytes },
    { type: IFA_ADDRESS, value: bytes },
  ]);
  plan.add({ kind: "store", slot: index, into: message.data, offset: message.body + 4, width: 4 });
  request(plan, `give ${device} the address ${address}/${prefixLength}`, socket, message);
}
