"""The baseline of serving: ``kubectl apply -f`` of an equal Model, a new one each time.

``python kubectl_apply.py KUBECONFIG ROUNDS`` prints the seconds of each round as JSON.
"""

import json
import subprocess
import sys
import time

MANIFEST = """
apiVersion: kubeai.org/v1
kind: Model
metadata: {name: NAME}
spec:
  url: ollama://smollm2:135m
  engine: OLlama
  features: [TextGeneration]
  resourceProfile: cpu:1
  minReplicas: 0
"""


def main(kubeconfig: str, rounds: int) -> None:
    seconds = []
    for number in range(rounds):
        manifest = MANIFEST.replace("NAME", f"kubectl-{number}")
        began = time.perf_counter()
        command = ["kubectl", "--kubeconfig", kubeconfig, "apply", "-f", "-"]
        subprocess.run(command, input=manifest, text=True, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    sys.stdout.write(json.dumps(seconds) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
