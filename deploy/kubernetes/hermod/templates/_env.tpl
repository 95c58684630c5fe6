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
