"""The state of a session: fields of the address, chosen values, what the page has shown, folded options."""
