# SPDX-License-Identifier: MIT OR Apache-2.0
"""Speed of llama.cpp on a GGUF file, through llama-cpp-python's C interface: one JSON line.

python llama_cpp_speed.py MODEL.gguf THREADS PROMPT_TOKENS NEW_TOKENS
"""

import ctypes
import json
import sys
import time

import llama_cpp


def main() -> None:
    path, threads, prompt, new = sys.argv[1], *map(int, sys.argv[2:5])
    silent = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silent, None)
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx = prompt + new + 64
    settings.n_batch = settings.n_ubatch = max(512, prompt)
    settings.n_threads = settings.n_threads_batch = threads
    context = llama_cpp.llama_init_from_model(model, settings)

    def run(tokens: list[int]) -> float:
        """Seconds until the logits after the last token can be read."""
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        start = time.perf_counter()
        code = llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(tokens)))
        logits = llama_cpp.llama_get_logits_ith(context, -1)
        took = time.perf_counter() - start
        assert code == 0 and logits, f"llama_decode said {code}"
        return took

    tokens = [100 + i * 7919 % 20_000 for i in range(prompt)]
    run(tokens[:32])
    run([1000])
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
    prefill = run(tokens)
    decode = sum(run([1000 + i]) for i in range(new))
    print(json.dumps({
        "prefill": prompt / prefill,
        "decode": new / decode,
        "version": f"llama-cpp-python {llama_cpp.__version__}",
        "built_for": llama_cpp.llama_print_system_info().decode().strip(),
    }))


if __name__ == "__main__":
    main()
