/**
 * Whether an interface could ever have the name, or match the glob: 15 bytes as Linux allows them, 64 for a glob. The
 * responder takes nothing else. As in native/interface_pattern.cc: byte 0xa0 is a blank to the kernel wherever it is.
 */
export function isInterfacePattern(text: string): boolean {
  const bytes = Buffer.from(text).toString('latin1');
  const limit = /[*?[]/.test(text) ? 64 : 15;
  return bytes.length <= limit && !/^$|^\.{1,2}$|[/:\0-\x20\x7f\xa0]/.test(bytes);
}
