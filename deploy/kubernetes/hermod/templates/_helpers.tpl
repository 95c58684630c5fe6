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

{{/* hermod.yaml: how it stops, the certificate of QUIC, and on top of that what the user has set. */}}
{{- define "hermod.config" -}}
{{- $stop := dict "notice" (printf "%ds" (int .Values.stop.notice)) "drain" (printf "%ds" (int .Values.stop.drain)) "timeout" (printf "%ds" (int .Values.stop.timeout)) }}
{{- $server := dict "stop" $stop }}
{{- if .Values.quic.enabled }}
{{- $_ := set $server "quic" (dict "tls" (dict "cert_file" "/etc/hermod-quic/tls.crt" "key_file" "/etc/hermod-quic/tls.key")) }}
{{- end }}
{{- mergeOverwrite (dict "log" (dict "format" "json") "server" $server) (deepCopy .Values.config) | toYaml }}
{{- end }}
