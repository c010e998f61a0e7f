/** How the root file system of a box is put together: decided here, mounted by the sandbox. */

export type RootfsPlan =
  | {
      readonly kind: "overlay";
      /** Topmost first, as overlayfs wants them; relative to `Store.root`, free of characters that overlayfs would need escaped. */
      readonly lowers: readonly string[];
      /** Relative to `Store.root`. */
      readonly upper: string;
      readonly work: string;
      /** The upper layer need not survive a crash of the machine: no sync (overlayfs "volatile", since 5.10). */
      readonly volatile: boolean;
    }
  /** A tree used as it is (`dir:ROOTFS`): what the box writes stays there. Absolute. */
  | { readonly kind: "directory"; readonly path: string };
