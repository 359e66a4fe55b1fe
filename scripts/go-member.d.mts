/** Where the program is, or why it is nowhere and whether that is because it cannot be built here at all. */
export function provideGoMember(
  env?: Readonly<Record<string, string | undefined>>,
):
  | { readonly program: string; readonly problem?: never; readonly impossible?: never }
  | { readonly program?: never; readonly problem: string; readonly impossible?: true };
