// The ASCII codes that parsers and writers compare with, by name.

export const enum Ascii {
  Nul = 0, Tab = 9, LineEnd = 10, CarriageReturn = 13, Space = 32,
  Percent = 37, Plus = 43, Minus = 45, Zero = 48, One = 49, Nine = 57,
  A = 97, D = 100, E = 101, G = 103, I = 105, M = 109, N = 110, S = 115, T = 116, Delete = 127,
}
