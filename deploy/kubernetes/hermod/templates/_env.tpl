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
{{- if ne .Values.registry.type "none" }}
- {name: HERMOD_REGISTRY_TYPE, value: {{ .Values.registry.type | quote }}}
- {name: HERMOD_REGISTRY_ADDR, value: {{ .Values.registry.addr | quote }}}
- {name: HERMOD_REGISTRY_NAMESPACE, value: {{ .Values.registry.namespace | quote }}}
{{- end }}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}
