"""What an API server promises about requests and objects; the words are kube-apiserver's. All of it is pure."""
