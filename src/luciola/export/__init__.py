"""Models in other programs' formats: GGUF for llama.cpp, and a Modelfile for Ollama."""
