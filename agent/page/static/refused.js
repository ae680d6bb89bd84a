// One kind of error for everything from outside that is not as it must be. `code` is the protocol's.

export class Refused extends Error {
  constructor(code, why = "") {
    super(why ? `${code}: ${why}` : code);
    this.code = code;
  }
}

/** Throw `code` unless `holds`. */
export function demand(holds, code, why = "") {
  if (!holds) throw new Refused(code, why);
}
