"""Money: what calls to models may cost and did cost, in integer micro-dollars (a millionth of a dollar)."""
