{{/* What the node is told by its environment: what secrets hold, and what must not be got wrong. */}}
{{- define "hermod.env" -}}
{{- range $name, $port := include "hermod.ports" . | fromYaml }}
- {name: HERMOD_{{ upper $name }}_ADDR, value: "0.0.0.0:{{ $port }}"}
{{- end }}
- {name: HERMOD_AUTH_MODE, value: {{ .Values.auth.mode | quote }}}
- name: HERMOD_SERVICE_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ .Values.auth.serviceToken.secretName | quote }}, key: {{ .Values.auth.serviceToken.secretKey | quote }}}
{{- with .Values.auth.jwt.issuer }}
- {name: HERMOD_JWT_ISSUER, value: {{ . | quote }}}
{{- end }}
{{- with .Values.auth.jwt.audience }}
- {name: HERMOD_JWT_AUDIENCE, value: {{ . | quote }}}
{{- end }}
{{- with .Values.auth.jwt.jwksUrl }}
- {name: HERMOD_JWKS_URL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.publicUrl }}
- {name: HERMOD_HTTP_PUBLIC_URL, value: {{ . | quote }}}
{{- end }}
{{- if ne .Values.database.driver "sqlite" }}
- {name: HERMOD_DB_DRIVER, value: {{ .Values.database.driver | quote }}}
- name: HERMOD_DB_DSN
  valueFrom:
    secretKeyRef: {name: {{ .Values.database.secretName | quote }}, key: {{ .Values.database.secretKey | quote }}}
{{- end }}
{{- if ne .Values.cluster.type "none" }}
{{ include "hermod.env.cluster" . }}
{{- end }}
{{- if ne .Values.registry.type "none" }}
{{- with .Values.registry }}
- {name: HERMOD_REGISTRY_TYPE, value: {{ .type | quote }}}
- {name: HERMOD_REGISTRY_ADDR, value: {{ .addr | quote }}}
- {name: HERMOD_REGISTRY_NAMESPACE, value: {{ .namespace | quote }}}
{{- $secret := .secretName }}
{{- if $secret }}
{{- range list "username" "password" "token" }}
- name: HERMOD_REGISTRY_{{ upper . }}
  valueFrom:
    secretKeyRef: {name: {{ $secret | quote }}, key: {{ . }}, optional: true}
{{- end }}
{{- end }}
{{- end }}
- name: HERMOD_ADVERTISE_HOST
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* How a node finds the others. */}}
{{- define "hermod.env.cluster" -}}
{{- $embedded := include "hermod.embedded" . -}}
- {name: HERMOD_CLUSTER_TYPE, value: {{ .Values.cluster.type | quote }}}
{{- /* Releases of two namespaces may share an engine. */}}
{{- $name := printf "%s-%s" .Release.Namespace (include "hermod.name" .) }}
- {name: HERMOD_CLUSTER_NAME, value: {{ gt (len $name) 64 | ternary (sha256sum $name) $name | quote }}}
{{- with .Values.cluster.addrs }}
- {name: HERMOD_CLUSTER_ADDR, value: {{ . | quote }}}
{{- end }}
{{- $secret := .Values.cluster.secretName }}
{{- if $secret }}
{{- $optional := not $embedded }}
{{- range concat (list "username" "password") (and (eq .Values.cluster.type "nats") $optional | ternary (list "token") list) }}
- name: HERMOD_CLUSTER_{{ upper . }}
  valueFrom:
    secretKeyRef: {name: {{ $secret | quote }}, key: {{ . }}, optional: {{ $optional }}}
{{- end }}
{{- end }}
{{- if $embedded }}
- {name: HERMOD_CLUSTER_LISTEN, value: "0.0.0.0:6222"}
- {name: HERMOD_CLUSTER_ROUTES, value: {{ include "hermod.routes" . | quote }}}
- name: HERMOD_POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- {name: HERMOD_CLUSTER_ADVERTISE, value: "$(HERMOD_POD_NAME).{{ include "hermod.peers" . }}:6222"}
{{- end }}
{{- end }}
