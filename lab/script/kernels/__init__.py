"""The functions of the language as compiled loops, a module a subject, and the machine that runs a script's over a ticker's bars.

A kernel computes one step for a stretch of bars. Numbers are float64, missing ones not-a-number; conditions are bytes: 1 true, 2 false,
0 unknown, so that `and`, `or` and `not` are bit by bit. Whatever a kernel carries from stretch to stretch begins with the ticker's first
bar, and no result depends on how many bars follow or on where stretches end.

`KERNELS` of each module: name -> (address, operands, result, doubles of state by n). Operands: n a number, N one looked back at, c and C
the same of conditions, s sessions, m minutes of the day; the result: n or c.
"""
