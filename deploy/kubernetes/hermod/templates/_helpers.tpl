{{- define "hermod.name" -}}
{{- if contains "hermod" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-hermod" (.Release.Name | trunc 43 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "hermod.selector" -}}
app.kubernetes.io/name: hermod
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "hermod.labels" -}}
{{ include "hermod.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "hermod.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "hermod.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* The node listens on the same ports everywhere; services.*.port is what others see. */}}
{{- define "hermod.ports" -}}
im: 8083
gateway: 8082
http: 8080
ops: 8081
{{- if .Values.quic.enabled }}
quic: 8443
{{- end }}
{{- end }}

{{/* Whether NATS runs within the nodes, and the service whose names they find each other by. */}}
{{- define "hermod.embedded" -}}
{{- if and (eq .Values.cluster.type "nats") (not .Values.cluster.addrs) }}true{{ end }}
{{- end }}
{{- define "hermod.peers" -}}
{{ include "hermod.name" . }}-cluster
{{- end }}

{{/* Where NATS servers connect to each other: every pod that there always is, since each of them is tried for
ever. Those that an autoscaler adds are told of by these. */}}
{{- define "hermod.routes" -}}
{{- $always := ternary (max 2 (int .Values.autoscaling.minReplicas)) (int .Values.replicas) .Values.autoscaling.enabled }}
{{- $routes := list }}
{{- range $i := until (int $always) }}
{{- $routes = append $routes (printf "%s-%d.%s:6222" (include "hermod.name" $) $i (include "hermod.peers" $)) }}
{{- end }}
{{- join "," $routes }}
{{- end }}

{{/* Pods have names of their own, and volumes where there is one node, unless an engine beside them makes
one as good as another. */}}
{{- define "hermod.kind" -}}
{{- if or (eq .Values.cluster.type "none") (include "hermod.embedded" .) }}StatefulSet{{ else }}Deployment{{ end }}
{{- end }}

{{/* Takes keys without a value out of a map, and of those in it: they are not given. */}}
{{- define "hermod.prune" -}}
{{- range $key, $value := . }}
{{- if kindIs "invalid" $value }}
{{- $_ := unset $ $key }}
{{- else if kindIs "map" $value }}
{{- include "hermod.prune" $value }}
{{- end }}
{{- end }}
{{- end }}

{{/* hermod.yaml: how it stops, certificates, and on top of that what the user has set. */}}
{{- define "hermod.config" -}}
{{- $stop := dict "notice" (printf "%ds" (int .Values.stop.notice)) "drain" (printf "%ds" (int .Values.stop.drain)) "timeout" (printf "%ds" (int .Values.stop.timeout)) }}
{{- $server := dict "stop" $stop }}
{{- if .Values.quic.enabled }}
{{- $_ := set $server "quic" (dict "tls" (dict "cert_file" "/etc/hermod-quic/tls.crt" "key_file" "/etc/hermod-quic/tls.key")) }}
{{- end }}
{{- $cluster := dict }}
{{- if .Values.cluster.tls.enabled }}
{{- $tls := dict "enabled" true }}
{{- if .Values.cluster.tls.secretName }}
{{- $_ := set $tls "ca_file" "/etc/hermod-cluster/ca.crt" }}
{{- $_ := set $tls "cert_file" "/etc/hermod-cluster/tls.crt" }}
{{- $_ := set $tls "key_file" "/etc/hermod-cluster/tls.key" }}
{{- end }}
{{- if include "hermod.embedded" . }}
{{- $_ := set $tls "server_name" (include "hermod.peers" .) }}
{{- end }}
{{- $_ := set $cluster "tls" $tls }}
{{- end }}
{{- if .Values.cluster.sharded }}
{{- $_ := set $cluster "redis" (dict "sharded" true) }}
{{- end }}
{{- $base := dict "log" (dict "format" "json") "server" $server }}
{{- if $cluster }}
{{- $_ := set $base "cluster" $cluster }}
{{- end }}
{{- $config := deepCopy (default dict .Values.config) }}
{{- $_ := include "hermod.prune" $config }}
{{- mergeOverwrite $base $config | toYaml }}
{{- end }}
