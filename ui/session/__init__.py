"""What this session has chosen and shown: fields of the address, state, point, folded options."""
