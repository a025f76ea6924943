"""The machines: caps of instruction sets, threads, orders, seeds.

A cap lets every library take the code that it has for an older processor,
with other vector lengths, with or without fused multiply-add: other sums in
another order. Threads share sums out. What a cap does is not taken on trust:
the report counts how many different roundings each framework has shown.
"""

from dataclasses import dataclass

# By cap: the environment variables of all libraries.
CAPS: dict[str, dict[str, str]] = {
    "native": {},  # whatever this processor has
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own loops
        "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions of PyTorch, TensorFlow
        "DNNL_MAX_CPU_ISA": "AVX2",  # its name in older releases
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",  # products of PyTorch
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        "OPENBLAS_CORETYPE": "Haswell",  # NumPy: the oracle
    },
    "avx": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "AVX",
        "DNNL_MAX_CPU_ISA": "AVX",
        "MKL_ENABLE_INSTRUCTIONS": "AVX",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX",
        "OPENBLAS_CORETYPE": "Sandybridge",
    },
    "sse": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "DNNL_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
}
# Other libraries: TensorFlow without oneDNN, PyTorch's MKL in the mode that
# gives the same bits on every processor, and AVX2 for the rest.
CAPS["eigen"] = CAPS["avx2"] | {
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "MKL_CBWR": "COMPATIBLE",
}
# What rounds, and is quick. Dropout and native weights follow laws, which no
# rounding moves; data are exact; rung 1 has one product in each step.
CORE = (
    *("rung4_forward", "rung4_tf32", "rung5_gradients", "rung6_optimizer"),
    *("rung7_trajectory", "rung7_calm", "rung7_wide"),
)
# TensorFlow asks the processor, not the cap, whether oneDNN can compute in
# bfloat16, and ends where both differ: only on machines without that cap.
HALF = (*CORE, "rung4_bfloat16")
RACE = "rung8_race"
QUICK = {
    "avx2-3": ("rung4_forward", "rung4_tf32", "rung5_gradients", "rung7_calm"),
    "eigen-3": ("rung4_bfloat16",),
}


@dataclass(frozen=True)
class Machine:
    """One of them: a name, an environment, and the rungs that it climbs."""

    cap: str
    threads: int
    rungs: tuple[str, ...] = CORE
    order: int = 0  # of the images in each batch
    variant: int = 0  # other seeds of all cases

    @property
    def name(self) -> str:
        """For its folder and its row."""
        more = f"-order{self.order}" if self.order else ""
        more += f"-seeds{self.variant}" if self.variant else ""
        return f"{self.cap}-{self.threads}{more}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes one processor this machine."""
        threads = str(self.threads)
        return CAPS[self.cap] | {
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": "1",
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_NUM_INTEROP_THREADS": threads,
            "NPROC": threads,  # XLA's
            "DAVIDNET_PARITY_ORDER": str(self.order),
            "DAVIDNET_PARITY_VARIANT": str(self.variant),
        }


MACHINES = (
    Machine("avx2", 3, (*CORE, RACE)),
    Machine("native", 2, (*HALF, RACE)),
    Machine("avx2", 1, (*CORE, RACE)),
    Machine("eigen", 3, HALF),
    Machine("native", 1, HALF),
    Machine("sse", 1),
    Machine("native", 3, HALF),
    Machine("avx2", 2),
    Machine("avx", 1),
    Machine("native", 8, HALF),
    Machine("native", 2, HALF, order=1),
    Machine("native", 2, HALF, variant=1),
    Machine("avx2", 1, variant=2),
)
