"""Bailee as OpenID provider and OAuth 2 authorization server (TOM 2.1, 2.4).

People sign in to the customers' product with their account here: authorisation code with PKCE, ID tokens, rotated
refresh tokens, logout. Machines get tokens for the API with client credentials. Every token but the ID token is
opaque and looked up when it is used, so what an account, a session, a membership or a client loses is lost at once.

Sources: RFC 6749, 6750, 7009, 7636, 7662, 8414, 9207, 9700; OpenID Connect Core, Discovery, RP-Initiated Logout.
"""
