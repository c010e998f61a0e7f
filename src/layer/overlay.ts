/** The names by which overlayfs and devbox mark files on disk. */

/** Documentation/filesystems/overlayfs.rst "User xattr": read with the mount option userxattr. */
export const opaqueAttribute = "user.overlay.opaque";
export const opaqueValue = Buffer.from("y");

/** All that overlayfs reads and writes itself. */
export const overlayPrefix = "user.overlay.";

/** `c 1:3` or `b 8:0`, on the empty file that stands for a device which could not be made. */
export const deviceAttribute = "user.devbox.device";
