"""A bundle behind HTTP: the puzzles of all requests share the slots of one halting loop.

The application is Starlette's, run by uvicorn. FastAPI would bring pydantic and describe its bodies
with it; this project validates with msgspec already, which also writes the schemas of the OpenAPI
document. So the types that decode a request are the ones that describe it, and the extra adds
nothing but Starlette, uvicorn and prometheus-client.
"""
