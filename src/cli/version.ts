/** Of package.json; inlined when the file is compiled. */
export { version } from "../../package.json";
