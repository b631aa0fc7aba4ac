"""Federation (TOM 2.4): a tenant's own identity provider signs its people in, and its directory provisions them.

What holds it together: a domain counts once its DNS says so, and for one tenant; an identity provider speaks for the
people of its tenant's domains, in that tenant and in no other; a person who belongs to several keeps what is theirs.
"""
