// Public keys that verify or share nothing worth the name (protocol section 2): the small-order points of the
// Ed25519 curve in all their 14 encodings, and those of X25519. Under them forged signatures are accepted.

import { demand } from "./refused.js";
import { hex } from "./bytes.js";

const SMALL_ORDER_Y = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

const withoutSign = (pub) => {
  const copy = Uint8Array.from(pub);
  copy[31] &= 0x7f;
  return hex(copy);
};

/** Throw E_KEY for an Ed25519 key that must not be used. */
export function demandStrongSignKey(pub) {
  demand(pub.length === 32 && !SMALL_ORDER_Y.includes(withoutSign(pub)), "E_KEY", "weak key");
}

const SMALL_ORDER_U = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/** Throw E_KEY for an X25519 key that must not be sealed to. */
export function demandStrongOpenKey(pub) {
  demand(pub.length === 32 && !SMALL_ORDER_U.includes(withoutSign(pub)), "E_KEY", "weak key");
}
